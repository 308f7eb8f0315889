"""Load processes on other machines.

    this machine                                            another machine
    crew -- socket pair -- master (Locust's MasterRunner) -- TCP -- agent (Locust's WorkerRunner) -- pipes -- child

A child on another machine is the very process that runs here (`harness.load.process.child`), with the same lines in and
out. The agent hands them on, sends every file that the child writes to the master as it grows, and answers the
master's pings, by which the master relates the agent's monotonic clock to its own. Locust carries the messages:

    agent to master   hello  who it is: version, host, cores     echo  a ping came back, with the agent's clock
                      said   a line of the child                 over  the child has ended, and how
    master to agent   welcome | refused                          ping
                      say    a line for the child                kill  end the child now      bye  all is here
    both              part   a piece of a file                   got   how much of it is here
"""
