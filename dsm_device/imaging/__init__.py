"""Rows in, files out: a page becomes a file strip by strip, in memory that no page size changes.

``formats`` says what can be made and is pure data, so the agent can import it without Pillow. ``page`` is
the writer that the acquisition process uses; below it ``strips`` brings delivered rows to the file's width and
colour, and ``jpeg``, ``png`` and ``tiff`` (over ``libtiff``) each write one kind of file.
"""
