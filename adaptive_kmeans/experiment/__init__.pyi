from .results import Results, run_experiment

__all__ = ["Results", "run_experiment"]
