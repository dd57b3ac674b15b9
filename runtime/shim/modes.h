#pragma once

/// What kedge-shim can be. Each returns the process' exit code.
namespace kedge::shim {

/// `kedge-shim run`: starts the container of the plan, keeps its streams, records its exit.
int run_container();

/// `kedge-shim exec`: becomes a further process of a running container, in whose process namespace it was born.
int run_exec();

/// `kedge-shim create`: makes a container for an OCI runtime and ends; its first process waits for the start.
int run_create();

/// As /sbin/docker-init inside a container: runs its arguments, forwards signals to them and reaps what is orphaned.
int run_as_init(int count, char** arguments, char** environment);

}  // namespace kedge::shim
