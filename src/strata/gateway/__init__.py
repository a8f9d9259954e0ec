"""The gateway: the one door to every model. Routes, guards, reserves, calls, settles; never sees a document store."""
