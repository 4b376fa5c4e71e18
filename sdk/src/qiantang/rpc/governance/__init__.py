"""Governance: what may call, how often, and what happens when it goes wrong. Pure: time and chance come in.

`policy` says which rules count for a method, `states` gives the pieces that keep to them. At the client a call enters `rate`,
`hot`, `concurrency`, `adaptive`, `faults`, the method's `breaker`, then its `reserve`. Each attempt goes to a node that `votes`
and `outliers` leave, through that node's `breaker` and, last of all, its `reserve`. At the server: `access`, `shedding`,
`gradient`, `concurrency`, `rate`, `hot`, `faults`. When one refuses, those that let the call in before it are left with
`CANCELLED`.
"""
