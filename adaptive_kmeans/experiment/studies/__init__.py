"""Kinds of experiments that each have a question and a table of their own.

A study is one module, with its config, the columns of its table, its trials, its summary, its
figures, and a `KIND` that names them: it is found without being named anywhere else.
"""
