"""Other image codecs behind the `Codec` protocol, by name.

==================== ===============================================================================
`jpeg:75`            JPEG at a quality of 1..100, progressive, optimized tables, 4:2:0 below 90
`jpeg-444:75`        the same with chroma at full resolution
`webp:75`            lossy WebP, method 6 unless `webp:75,method=4` says otherwise
`avif:60`            AVIF
`jpeg-xl:80`         lossy JPEG XL, effort 7, at libjxl's distance for the quality
`png:4`              PNG of the RGB pixels, optimized by oxipng at a level of 0..6
`webp-lossless:6`    lossless WebP at an effort of 0..6
`jpeg-xl-lossless:7` lossless JPEG XL at an effort of 1..10
`png8:256`           our K-means codebook of k colors in a PNG with a palette, by oxipng
`median-cut:256`     Pillow's median cut, likewise in a PNG
`octree:256`         Pillow's octree, likewise
`libimagequant:256`  the library of pngquant without dithering, likewise
`kmeans-webp:256`    our K-means codebook of k colors, the pixels as lossless WebP
`k-compress:16`      K-Compress: two 4-bit indices per byte, as a gray PNG, and a NumPy file of
                     colors
`npz:16`             PaiAkshay998's ImageCompression: indices and centroids in a compressed `.npz`
`published-code:64`  pmephin's code for regular K-means of k colors, reproduced, as an `.akm` file;
                     `published-code-eigenvalue:64`, `-variance` and `-total-variation` have k
                     colors for low detail and 256 for high detail: see `published_code`
==================== ===============================================================================

Codecs whose attribute `has_alpha` is true (`webp`, `avif`, `png`, `webp-lossless`, `libimagequant`,
`kmeans-webp`) also accept images with alpha; the others refuse them.

A codec is a frozen dataclass; its fields are its settings, and the first one is what a spec gives
after the colon without a name. Settings called `k` or `quality` have their own columns in tables.

Pillow comes with the package, the other libraries with the extra ``peers``. Other packages add
codecs through the entry-point group ``adaptive_kmeans.baselines``; experiments use every codec
through `checked`.
"""

from __future__ import annotations

from adaptive_kmeans.baselines import palette_codecs, pixel_codecs, published_code
from adaptive_kmeans.codec import Codec
from adaptive_kmeans.registry import Registry, group

baselines: Registry[Codec] = Registry(
    "baseline",
    {
        "jpeg": pixel_codecs.Jpeg,
        "jpeg-444": pixel_codecs.Jpeg444,
        "webp": pixel_codecs.WebP,
        "avif": pixel_codecs.Avif,
        "jpeg-xl": pixel_codecs.JpegXL,
        "png": pixel_codecs.Png,
        "webp-lossless": pixel_codecs.WebPLossless,
        "jpeg-xl-lossless": pixel_codecs.JpegXLLossless,
        "png8": palette_codecs.Png8,
        "median-cut": palette_codecs.MedianCut,
        "octree": palette_codecs.Octree,
        "libimagequant": palette_codecs.Libimagequant,
        "kmeans-webp": palette_codecs.KMeansWebP,
        "k-compress": palette_codecs.KCompress,
        "npz": palette_codecs.Npz,
        "published-code": published_code.PublishedCode,
        "published-code-eigenvalue": published_code.Eigenvalue,
        "published-code-variance": published_code.Variance,
        "published-code-total-variation": published_code.TotalVariation,
    },
    group("baselines"),
)
