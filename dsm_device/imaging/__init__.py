"""Rows in, files out: a page becomes a file strip by strip, in memory that no page size changes.

Pure data that the agent may import, without Pillow: ``formats`` (what can be made), ``treatment`` (what is done
to a page), ``available`` (what this installation can write), and ``documents``, which puts the documents of whole
jobs together from page files.

For the acquisition process: ``page`` takes the rows, ``pipeline`` chooses the ``stages`` that they go through as
``raster`` images, and ``encoders`` who writes the file. ``held_page`` holds what must be whole first; ``overview``
is the small copy by which ``blank``, ``edges``, ``skew`` and ``levels`` judge.
"""
