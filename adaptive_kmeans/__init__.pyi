from .codec import Settings, decode, encode, quantize
from .errors import AdaptiveKMeansError
from .metrics import bits_per_pixel, psnr, ssim
from .quantize import Quantized

__version__: str

__all__ = [
    "AdaptiveKMeansError",
    "Quantized",
    "Settings",
    "bits_per_pixel",
    "decode",
    "encode",
    "psnr",
    "quantize",
    "ssim",
]
