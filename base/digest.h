#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace kedge {

/// A content digest as OCI image-spec, descriptor.md, "Digests" writes it: `sha256:<64 hex digits>`.
/// Only sha256 is accepted. A value of this type is always well-formed, or empty.
class Digest {
public:
    Digest() = default;

    /// Throws Error (invalid_argument) for anything but `sha256:` and 64 lower-case hex digits.
    static Digest parse(std::string_view text);

    /// Of 64 hex digits without the algorithm. Throws Error.
    static Digest from_hex(std::string_view hex);

    /// The digest of these bytes.
    static Digest of(std::string_view data);

    bool empty() const { return hex_.empty(); }
    const std::string& hex() const { return hex_; }
    std::string str() const { return empty() ? std::string() : "sha256:" + hex_; }

    auto operator<=>(const Digest&) const = default;

private:
    std::string hex_;
};

/// SHA-256 over data that arrives in pieces.
class Hasher {
public:
    Hasher();
    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;
    ~Hasher();

    void update(std::string_view data);
    /// The digest of all that came; the hasher is used up.
    Digest finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// `count` random bytes of the kernel's as lower-case hex digits: container ids are random_hex(32).
std::string random_hex(size_t count);

}  // namespace kedge
