from .codec import Settings, decode, encode, quantize
from .errors import AdaptiveKMeansError
from .explorer import explore
from .image import load, save
from .metrics import bd_psnr, bd_rate, bits_per_pixel, ciede2000, psnr, ssim, ssimulacra2
from .quantize import Quantized
from .targets import Target, encode_to

__version__: str

__all__ = [
    "AdaptiveKMeansError",
    "Quantized",
    "Settings",
    "Target",
    "bd_psnr",
    "bd_rate",
    "bits_per_pixel",
    "ciede2000",
    "decode",
    "encode",
    "encode_to",
    "explore",
    "load",
    "psnr",
    "quantize",
    "save",
    "ssim",
    "ssimulacra2",
]
