"""Baselines: other codecs and quantizers to compare with.

`image_codecs` lists image codecs behind the `Codec` protocol, for any experiment: those in
`pixel_codecs` code pixels directly, those in `palette_codecs` quantize them first. `lossless` has
codecs for quantized images, for `experiments/coding_size.toml`, and `clustering` has engines that
find a codebook, for `experiments/clustering_speed.toml`. Nothing else needs their libraries, most
of which come with the extra ``peers``.
"""
