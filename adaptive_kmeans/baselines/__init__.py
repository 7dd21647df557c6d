"""Baselines: what others offer for the same work, behind small interfaces.

`clustering` holds the engines that find a codebook, for `experiments/clustering_speed.toml`, and
`lossless` the codecs that code a quantized image, for `experiments/coding_size.toml`. Their
libraries are not needed by anything else: most come with the extra ``peers``.
"""
