#pragma once

/// Makes the bridge kfloor0 (10.213.0.1/16) in the current network namespace, if it isn't there.
void prepare_bridge();

/// A veth pair into the process' network namespace, with address, route and lo up there.
void connect_namespace(int pid, int number);
