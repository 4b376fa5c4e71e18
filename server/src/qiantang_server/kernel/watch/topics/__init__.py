"""Topics: what the pages of a browser follow, over one stream. Invalidations, gathered, told only to who may see their cause."""

from qiantang_server.kernel.watch.topics.topics import Topics as Topics
