"""Formats that other projects read and write: rate–distortion points, and files of whole studies.

================== ================================================================================
`compressai`       the JSON of CompressAI: mean rate and quality of a set of images, a curve a file
`codec_compare`    the JSON of Codec-Compare: a row for each file of each image
`reconstructions`  what the files decode to, as PNG
================== ================================================================================

All start from `measurements`, what a folder of results holds.
"""
