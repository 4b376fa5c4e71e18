"""Messaging: the clusters, topics and subscriptions of applications, as the control plane governs them."""
