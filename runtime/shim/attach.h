#pragma once

namespace kedge::shim {

/// A socket at kAttachSocket in the run folder. Its descriptor or a negative errno.
int listen_for_attached(int run_folder);

/// Serves everybody who has connected by now. `input_once`: the first who wants the standard input is the only one.
void accept_attached(int listener, bool input_once);

}  // namespace kedge::shim
