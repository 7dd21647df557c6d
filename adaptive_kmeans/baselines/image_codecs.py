"""Other codecs behind one small interface: pixels in, a real file out, and pixels back.

=================== =======================================================================
`jpeg:75`           baseline JPEG at a quality 1..100, progressive, optimized tables
`webp:75`           lossy WebP, method 6
`avif:60`           AVIF
`jpeg-xl:80`        lossy JPEG XL, effort 7, at libjxl's distance for the quality
`png`               PNG of the RGB pixels, optimized by oxipng
`webp-lossless`     lossless WebP, method 6
`jpeg-xl-lossless`  lossless JPEG XL, effort 7
`png8:256`          our K-means codebook of k colors in a PNG with a palette, by oxipng
`median-cut:256`    Pillow's median cut, likewise in a PNG
`octree:256`        Pillow's octree, likewise
`libimagequant:256` the library of pngquant without dithering, likewise
`k-compress:16`     K-Compress: two 4-bit indices a byte, as a gray PNG, beside a NumPy file of
                    colors
`npz:16`            PaiAkshay998's ImageCompression: indices and centroids in a compressed `.npz`
=================== =======================================================================

What Pillow does comes with the package; the other libraries come with the extra ``peers``. Another
package adds a codec by an entry point of the group ``adaptive_kmeans.baselines``; experiments see
every codec through `checked`.
"""

from __future__ import annotations

from typing import Protocol

from adaptive_kmeans.baselines import palette_codecs, pixel_codecs
from adaptive_kmeans.baselines.formats import Pixels
from adaptive_kmeans.registry import Registry


class ImageCodec(Protocol):
    """What every baseline does.

    `k` or `quality` is the setting, if there is one: the first field of a frozen dataclass, which a
    spec sets after its colon, and a number.
    """

    @property
    def version(self) -> str:
        """Name and version of the library that makes the files."""
        ...

    def encode(self, image: Pixels) -> bytes:
        """Encode (H, W, 3) pixels as the bytes of a file."""
        ...

    def decode(self, data: bytes) -> Pixels:
        """Decode a file: (H, W, 3)."""
        ...


baselines: Registry[ImageCodec] = Registry(
    "baseline",
    {
        "jpeg": pixel_codecs.Jpeg,
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
        "k-compress": palette_codecs.KCompress,
        "npz": palette_codecs.Npz,
    },
    "adaptive_kmeans.baselines",
)
