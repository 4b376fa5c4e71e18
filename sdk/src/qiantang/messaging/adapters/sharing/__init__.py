"""Sharing: what adapters have in common whose brokers do not share queues out among the members of a group by themselves."""
