"""Baselines: what others offer for the same work, behind small interfaces.

`image_codecs` lists codecs that make files of pixels, for any experiment: those in `pixel_codecs`
keep the pixels or lose some, those in `palette_codecs` quantize them first. `lossless` holds codecs
that code a quantized image, for `experiments/coding_size.toml`, and `clustering` the engines that
find a codebook, for `experiments/clustering_speed.toml`. Their libraries are not needed by anything
else: most come with the extra ``peers``.
"""
