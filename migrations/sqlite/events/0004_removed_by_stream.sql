-- Which version of a stream stood before a position, when events since were removed.
CREATE INDEX removed_ids_by_stream ON removed_ids (stream, position);
