"""The commands of the command line: functions whose parameters are its arguments and options.

`coding` has those of files, `experiments` those that measure; `options` is what they share, and
`console` how they answer. Heavy imports wait until a command runs, so that help comes at once.
"""
