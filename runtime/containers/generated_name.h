#pragma once

#include <string>

namespace kedge::runtime {

/// A name for a container that was given none, `adjective_surname`, at random. `with_number`: a digit behind it, when
/// the plain ones keep being taken.
std::string generated_name(bool with_number);

}  // namespace kedge::runtime
