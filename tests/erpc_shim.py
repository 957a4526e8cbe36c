"""What NXP's erpcgen makes of firmware/eiq.erpc for its Python package, written by hand: the calls that tests need.

erpcgen spreads this over common.py, interface.py, client.py and server.py; here each is a class of that name. Where the
tool itself is there (ERPCGEN), tests take its output instead, and know no difference.
"""

from __future__ import annotations

from typing import Any

import erpc
from erpc.codec import MessageInfo, MessageType


class Struct:
    """erpcgen's struct: attributes, _read and _write, by name and codec type of each field."""

    FIELDS: tuple[tuple[str, str], ...] = ()

    def __init__(self, **values: Any) -> None:
        for name, _ in self.FIELDS:
            setattr(self, name, values.get(name))

    def _read(self, codec: Any) -> Any:
        for name, kind in self.FIELDS:
            if kind == "list":
                setattr(self, name, [codec.read_uint32() for _ in range(codec.start_read_list())])
            else:
                setattr(self, name, getattr(codec, f"read_{kind}")())
        return self

    def _write(self, codec: Any) -> None:
        for name, kind in self.FIELDS:
            value = getattr(self, name)
            if value is None:
                raise ValueError(f"{name} is None")
            if kind == "list":
                codec.start_write_list(len(value))
                for item in value:
                    codec.write_uint32(item)
            else:
                getattr(codec, f"write_{kind}")(value)


class common:  # noqa: N801 - erpcgen's module
    class Status:
        STATUS_OK = 0
        STATUS_VERSION = 5
        STATUS_NO_SESSION = 6
        STATUS_NO_SUCH_MODEL = 7
        STATUS_INCOMPLETE = 11
        STATUS_CORRUPT = 12

    class BoardInfo(Struct):
        FIELDS = (
            ("protocol", "uint32"), ("interface_crc", "uint32"), ("max_frame", "uint32"), ("rx_buffer", "uint32"),
            ("tick_hz", "uint32"), ("models", "uint32"), ("sensors", "uint32"), ("leds", "uint32"), ("board", "string"),
            ("clock", "string"), ("build", "string"),
        )  # fmt: skip

    class ModelInfo(Struct):
        FIELDS = (
            ("name", "string"), ("sha256", "binary"), ("recipe", "binary"), ("inputs", "uint32"), ("outputs", "uint32"),
            ("input_bytes", "uint32"), ("output_bytes", "uint32"), ("constant_bytes", "uint32"),
            ("mutable_bytes", "uint32"), ("activation_bytes", "uint32"),
        )  # fmt: skip

    class TensorInfo(Struct):
        FIELDS = (
            ("name", "string"), ("dtype", "int32"), ("shape", "list"), ("scale", "float"), ("zero_point", "int32"),
            ("place", "uint32"), ("bytes", "uint32"),
        )  # fmt: skip

    class Inference(Struct):
        FIELDS = (("ticks", "uint32"), ("check", "uint32"), ("missing", "list"), ("output", "binary"))


class interface:  # noqa: N801 - erpcgen's module
    class IEiq:
        SERVICE_ID = 1
        HELLO_ID = 1
        DESCRIBE_MODEL_ID = 2
        DESCRIBE_TENSOR_ID = 3
        WRITE_INPUT_ID = 4
        INFER_ID = 5
        READ_OUTPUT_ID = 6
        TIME_ID = 14


class client:  # noqa: N801 - erpcgen's module
    class EiqClient(interface.IEiq):
        def __init__(self, manager: Any) -> None:
            super().__init__()
            self._clientManager = manager

        def _request(self, method: int, *numbers: int, data: bytes | None = None, oneway: bool = False) -> Any:
            request = self._clientManager.create_request(oneway)
            codec = request.codec
            kind = MessageType.kOnewayMessage if oneway else MessageType.kInvocationMessage
            codec.start_write_message(
                MessageInfo(type=kind, service=self.SERVICE_ID, request=method, sequence=request.sequence)
            )
            for number in numbers:
                codec.write_uint32(number)
            if data is not None:
                codec.write_binary(data)
            self._clientManager.perform_request(request)
            return codec

        def hello(self, protocol: int, interface_crc: int, session: int, max_frame: int, info: Any) -> int:
            codec = self._request(self.HELLO_ID, protocol, interface_crc, session, max_frame)
            info.value = common.BoardInfo()._read(codec)
            return codec.read_int32()  # type: ignore[no-any-return]

        def describe_model(self, model: int, info: Any) -> int:
            codec = self._request(self.DESCRIBE_MODEL_ID, model)
            info.value = common.ModelInfo()._read(codec)
            return codec.read_int32()  # type: ignore[no-any-return]

        def describe_tensor(self, model: int, tensor: int, info: Any) -> int:
            codec = self._request(self.DESCRIBE_TENSOR_ID, model, tensor)
            info.value = common.TensorInfo()._read(codec)
            return codec.read_int32()  # type: ignore[no-any-return]

        def write_input(self, session: int, model: int, check: int, offset: int, data: bytes) -> None:
            self._request(self.WRITE_INPUT_ID, session, model, check, offset, data=data, oneway=True)

        def infer(self, session: int, model: int, check: int, input: bytes, result: Any) -> int:
            codec = self._request(self.INFER_ID, session, model, check, data=input)
            result.value = common.Inference()._read(codec)
            return codec.read_int32()  # type: ignore[no-any-return]

        def read_output(self, session: int, model: int, check: int, offset: int, length: int, data: Any) -> int:
            codec = self._request(self.READ_OUTPUT_ID, session, model, check, offset, length)
            data.value = codec.read_binary()
            return codec.read_int32()  # type: ignore[no-any-return]

        def time(self, ticks: Any) -> int:
            codec = self._request(self.TIME_ID)
            ticks.value = codec.read_uint64()
            return codec.read_int32()  # type: ignore[no-any-return]


class server:  # noqa: N801 - erpcgen's module
    class EiqService(erpc.server.Service):  # type: ignore[misc]
        def __init__(self, handler: Any) -> None:
            super().__init__(interface.IEiq.SERVICE_ID)
            self._handler = handler
            self._methods = {
                interface.IEiq.HELLO_ID: self._handle_hello,
                interface.IEiq.DESCRIBE_MODEL_ID: self._handle_describe_model,
                interface.IEiq.DESCRIBE_TENSOR_ID: self._handle_describe_tensor,
                interface.IEiq.WRITE_INPUT_ID: self._handle_write_input,
                interface.IEiq.INFER_ID: self._handle_infer,
                interface.IEiq.READ_OUTPUT_ID: self._handle_read_output,
                interface.IEiq.TIME_ID: self._handle_time,
            }

        def _numbers(self, codec: Any, count: int) -> list[int]:
            return [codec.read_uint32() for _ in range(count)]

        def _reply(self, method: int, sequence: int, codec: Any) -> None:
            codec.reset()
            codec.start_write_message(
                MessageInfo(
                    type=MessageType.kReplyMessage,
                    service=interface.IEiq.SERVICE_ID,
                    request=method,
                    sequence=sequence,
                )
            )

        def _handle_hello(self, sequence: int, codec: Any) -> None:
            info = erpc.Reference()
            result = self._handler.hello(*self._numbers(codec, 4), info)
            self._reply(interface.IEiq.HELLO_ID, sequence, codec)
            info.value._write(codec)
            codec.write_int32(result)

        def _handle_describe_model(self, sequence: int, codec: Any) -> None:
            info = erpc.Reference()
            result = self._handler.describe_model(*self._numbers(codec, 1), info)
            self._reply(interface.IEiq.DESCRIBE_MODEL_ID, sequence, codec)
            info.value._write(codec)
            codec.write_int32(result)

        def _handle_describe_tensor(self, sequence: int, codec: Any) -> None:
            info = erpc.Reference()
            result = self._handler.describe_tensor(*self._numbers(codec, 2), info)
            self._reply(interface.IEiq.DESCRIBE_TENSOR_ID, sequence, codec)
            info.value._write(codec)
            codec.write_int32(result)

        def _handle_write_input(self, sequence: int, codec: Any) -> None:
            self._handler.write_input(*self._numbers(codec, 4), codec.read_binary())

        def _handle_infer(self, sequence: int, codec: Any) -> None:
            inference = erpc.Reference()
            result = self._handler.infer(*self._numbers(codec, 3), codec.read_binary(), inference)
            self._reply(interface.IEiq.INFER_ID, sequence, codec)
            inference.value._write(codec)
            codec.write_int32(result)

        def _handle_read_output(self, sequence: int, codec: Any) -> None:
            data = erpc.Reference()
            result = self._handler.read_output(*self._numbers(codec, 5), data)
            self._reply(interface.IEiq.READ_OUTPUT_ID, sequence, codec)
            codec.write_binary(data.value)
            codec.write_int32(result)

        def _handle_time(self, sequence: int, codec: Any) -> None:
            ticks = erpc.Reference()
            result = self._handler.time(ticks)
            self._reply(interface.IEiq.TIME_ID, sequence, codec)
            codec.write_uint64(ticks.value)
            codec.write_int32(result)
