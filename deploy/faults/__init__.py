"""Reversible faults, one file a kind: what campaigns, drills, the torture and planted benchmarks do to a cluster.

    with inflicted(cluster, Freeze(part="engine")):      # deploy.faults.fault
        ...                                              # the engine stands still
    # it goes on, and every part answers again

`deploy.faults.catalogue` reads one from a document; docs/reference/faults.md lists them.
"""
