"""Assisting: what the client does in the place of a broker that cannot: holding back until a time, and trying again later."""

from qiantang.messaging.client.assisting.broker import AssistedBroker as AssistedBroker
