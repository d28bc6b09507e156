"""A strip chart of a job: when each page was acquired, encoded, written, sent and answered, as one SVG.

The upper part has a row for each page (for several pages once there are many): the slope shows the pace, the gaps
show where pages waited. Below it each lane is one strip that shows how busy this step was, then come the server's
job states and the events. The file is self-contained, has no scripts, and follows the reader's light or dark mode.
"""

from .chart import strip_chart
from .story import LANES, PAGE_LANES, Lane, Moment, Span, StripChart

__all__ = ["LANES", "PAGE_LANES", "Lane", "Moment", "Span", "StripChart", "strip_chart"]
