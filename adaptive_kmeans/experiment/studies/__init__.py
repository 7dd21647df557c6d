"""Kinds of experiments, each with its own question and table.

A study is one module, with its config, the columns of its table, its trials, its summary, its
figures, and a `KIND` that names them: it is found without being listed anywhere else.
"""
