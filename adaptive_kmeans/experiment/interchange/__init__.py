"""Formats that other projects read and write: rate–distortion points, and files of whole studies.

================== ================================================================================
`compressai`       the JSON of CompressAI: mean rate and quality over images, one curve per file
`codec_compare`    the JSON of Codec-Compare: a row for each file of each image
`reconstructions`  the decoded files, as PNG
================== ================================================================================

All start from `measurements`, the contents of a folder of results.
"""
