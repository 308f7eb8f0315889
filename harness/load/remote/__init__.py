"""Load processes on other machines.

    this machine                                            another machine
    crew -- socket pair -- master (Locust's MasterRunner) -- TCP -- agent (Locust's WorkerRunner) -- pipes -- child

A child on another machine is the very process that runs here (`harness.load.process.child`), with the same lines in and
out. The agent hands them on, sends every file that the child writes to the master as it grows, and answers the
master's pings, by which the master relates the agent's monotonic clock to its own. Locust carries the messages, see
`messages`.
"""
