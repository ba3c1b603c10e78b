"""DataProcessing: what of a record goes to the model, and what of its answer, with or without the record, is kept."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from localaws.sagemaker.transform.jsonpath import JsonPath, NoSuchElement
from localaws.sagemaker.transform.records import RecordError

_MISMATCH = "Fail to join data: mismatched line count between the input and the output"


class DataProcessing:
    """
    The filters and the join of a job.

    Records are CSV lines, which a path sees as a list of their columns, or JSON documents. An object that is not split
    has one of its lines, or, if it is ``application/json``, the whole of it, for a record.

    :param job: of the shape of CreateTransformJob.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        settings = job.get("DataProcessing", {})
        data, output = job["TransformInput"], job["TransformOutput"]
        self._input = JsonPath(settings.get("InputFilter", "$"))
        self._output = JsonPath(settings.get("OutputFilter", "$"))
        self._join = settings.get("JoinSource", "None") == "Input"
        content_type = data.get("ContentType") or ""
        self._reads = _Csv() if "csv" in content_type else _Json()
        self._writes = _Csv() if "csv" in (output.get("Accept") or content_type) else _Json()
        self._whole = data.get("SplitType", "None") == "None"
        self._document = self._whole and content_type.partition(";")[0].strip() == "application/json"

    def payload(self, records: list[bytes]) -> bytes:
        """
        Return the body of a request.

        :raises RecordError: a record is not what its ContentType says, or has nothing at InputFilter.
        """
        if self._input.whole:
            return b"\n".join(records)
        return b"\n".join(self._filtered(self._input, self._reads, record) for record in self._split(records))

    def result(self, records: list[bytes], answer: bytes) -> bytes:
        """
        Return what is kept of the answer to a request.

        :raises RecordError: the answer is not what Accept says, does not fit the records, or has nothing at
            OutputFilter.
        """
        if not self._join and self._output.whole:
            return answer
        outputs = [answer] if self._document else answer.splitlines()
        if self._join:
            inputs = self._split(records)
            if len(inputs) != len(outputs):
                raise RecordError(_MISMATCH, "AlgorithmError")
            values = [
                self._writes.join(self._reads.parse(record), self._parsed(output))
                for record, output in zip(inputs, outputs, strict=True)
            ]
        else:
            values = [self._parsed(output) for output in outputs]
        return b"\n".join(self._chosen(self._output, self._writes, value) for value in values)

    def _split(self, records: list[bytes]) -> list[bytes]:
        if self._whole and not self._document:
            return [line for record in records for line in record.splitlines() if line]
        return records

    def _parsed(self, output: bytes) -> Any:
        try:
            return self._writes.parse(output)
        except RecordError as error:
            raise RecordError(f"Failed to parse output from the algorithm as {error}", "AlgorithmError") from error

    def _filtered(self, path: JsonPath, form: _Form, record: bytes) -> bytes:
        try:
            value = form.parse(record)
        except RecordError as error:
            raise RecordError(f"Failed to parse a record as {error}") from error
        return self._chosen(path, form, value)

    @staticmethod
    def _chosen(path: JsonPath, form: _Form, value: Any) -> bytes:
        try:
            return form.text(path(value)).encode()
        except NoSuchElement as error:
            raise RecordError(str(error)) from error


class _Csv:
    """A line as the list of its columns."""

    @staticmethod
    def parse(line: bytes) -> list[str]:
        try:
            return next(csv.reader([line.decode()], strict=True), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise RecordError(f"CSV: {error}") from error

    @staticmethod
    def text(value: Any) -> str:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value if isinstance(value, list) else [value])
        return line.getvalue()

    @staticmethod
    def join(record: list[str], output: list[str]) -> list[str]:
        return [*record, *output]


class _Json:
    """A document."""

    @staticmethod
    def parse(text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise RecordError(f"JSON: {error}") from error

    @staticmethod
    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    @staticmethod
    def join(record: Any, output: Any) -> Any:
        if isinstance(record, dict):
            return {**record, "SageMakerOutput": output}
        return {"SageMakerInput": record, "SageMakerOutput": output}


_Form = _Csv | _Json
