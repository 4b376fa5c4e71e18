"""The mirror: a local, atomic, frozen snapshot of the resources that an application watches."""
