"""The order as a protobuf message, made from a descriptor: what a generated module holds, without a compiler."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench.rpc.stacks.load import ORDER, Order

METHOD = "/bench.Orders/echo"
_TYPES = {
    "number": "TYPE_STRING",
    "customer": "TYPE_STRING",
    "articles": "TYPE_STRING",
    "amount": "TYPE_DOUBLE",
    "paid": "TYPE_BOOL",
    "note": "TYPE_STRING",
    "at": "TYPE_INT64",
}


def _message() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    kind = file.message_type.add(name="Order")
    for number, (name, type_name) in enumerate(_TYPES.items(), 1):
        label = field.LABEL_REPEATED if name == "articles" else field.LABEL_OPTIONAL
        kind.field.add(name=name, number=number, type=getattr(field, type_name), label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Order"))


Message: Any = _message()


def written(order: Order = ORDER) -> Any:
    """Make the message, as a program does for each call."""
    return Message(
        number=order.number,
        customer=order.customer,
        articles=order.articles,
        amount=order.amount,
        paid=order.paid,
        note=order.note,
        at=order.at,
    )


def serialize(message: Any) -> bytes:
    return message.SerializeToString()


OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]
