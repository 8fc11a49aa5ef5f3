"""Hopproof: proves that every flow between the subsystems of a product is protected the way its documentation says.

One piece of data's journey, one way::

    Requirement --expand--> Case --send--> Exchange --judge--> Verdict --write--> row

Floors, each importing only lower ones (a test keeps the arrows):

    model, errors, decode     frozen types, errors, pure decoders
    config, checks, wire, writers
                              options; expectation x exchange -> findings; how stimuli are sent; what is written
    catalogue, judge, subsystems
                              what is required; the only place an outcome is decided; the reference servers
    lab                       where servers run: processes, balancers, addresses
    bypass                    the same request in other ways, without its credential
    expected, load, obstacles, transports
                              the rows that somebody foresees not to pass; requests that keep coming; what is in the way
    probed                    what was seen of an endpoint
    probing                   what can be seen of one
    known, scenario, exchanges, targets, selection, preflight, deployment, engine, run, mutants, serve, explain, listing
                              one case's journey, many at a time
    plugin                    pytest glue only
    cli, pointing             verbs only

The reference subsystems import neither catalogue, checks, judge nor the parts of ``wire`` that make stimuli: they
verify with kept libraries and get their keys as files, so that a shared bug cannot pass.
"""

__version__ = "0.1.0"
