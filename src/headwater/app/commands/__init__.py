"""The command line, one file a command or group of commands.

What comes in: words from a person's shell or a script. What goes out: text for people, or JSON with `--json`, on
standard output; one sentence about what is wrong, and what to do, on standard error. The exit status is 0 when it went
well, 1 when it did not, 2 when the words could not be understood.

Two kinds of commands live here. Those of the machine (`serve`, `doctor`, `settings`, `catch`, `admin-token`) work with
the settings and the data folder. All others ask a running house over HTTP (`client.py`), as anybody else would: what
the command line can do, any script can. Every operation of `manage` is a command by its own name (`operations.py`);
`tail`, `trace`, `query`, `redrive` and `replay` are friendlier doors to some of them.

It promises that nothing heavy is imported before a command needs it, that no colour or cursor code reaches what is not
a terminal, and that a token or key is shown only by the start that made it.

    client.py      asking a running house; where it is, and the token for it
    flags.py       the options that several commands share
    output.py      tables, resources, JSON
    fields.py      from a request Struct to options, and from options to a request
    operations.py  a command for each operation
    banner.py      what `serve` prints when the house answers
    reference.py   the reference page of the command line
"""
