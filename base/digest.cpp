#include "base/digest.h"

#include "base/error.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>

namespace kedge {

namespace {

std::string to_hex(const unsigned char* bytes, size_t size) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    hex.reserve(size * 2);
    for (size_t i = 0; i < size; ++i) {
        hex += kDigits[bytes[i] >> 4];
        hex += kDigits[bytes[i] & 15];
    }
    return hex;
}

}  // namespace

Digest Digest::parse(std::string_view text) {
    constexpr std::string_view prefix = "sha256:";
    if (!text.starts_with(prefix)) {
        throw Error(Code::invalid_argument, "\"" + std::string(text) + "\" is not a sha256 digest");
    }
    return from_hex(text.substr(prefix.size()));
}

Digest Digest::from_hex(std::string_view hex) {
    auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (hex.size() != 64 || !std::all_of(hex.begin(), hex.end(), is_hex)) {
        throw Error(Code::invalid_argument, "\"" + std::string(hex) + "\" is not a sha256 digest");
    }
    Digest digest;
    digest.hex_ = hex;
    return digest;
}

Digest Digest::of(std::string_view data) {
    Hasher hasher;
    hasher.update(data);
    return hasher.finish();
}

struct Hasher::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
    if (!state_->context || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
        throw Error(Code::internal, "sha256 is not available");
    }
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view data) {
    if (EVP_DigestUpdate(state_->context, data.data(), data.size()) != 1) {
        throw Error(Code::internal, "sha256 failed");
    }
}

Digest Hasher::finish() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(state_->context, bytes, &size) != 1) throw Error(Code::internal, "sha256 failed");
    return Digest::from_hex(to_hex(bytes, size));
}

std::string random_hex(size_t count) {
    std::string bytes(count, '\0');
    if (::getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) throw_errno("getrandom");
    return to_hex(reinterpret_cast<const unsigned char*>(bytes.data()), count);
}

}  // namespace kedge
