#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace kedge::runtime {

enum class Compression { none, gzip, zstd, xz, bzip2 };

/// Told by the magic number that data begins with; what has none of them is `none`.
Compression detect_compression(std::string_view head);

/// Bytes in order. Used by one thread at a time.
class ByteStream {
public:
    virtual ~ByteStream() = default;
    /// Up to `size` bytes, at least one; 0 only at the end. Throws Error.
    virtual size_t read(char* buffer, size_t size) = 0;
};

/// A file, pipe or socket from where it stands; its first bytes can be looked at without taking them.
class FdStream : public ByteStream {
public:
    explicit FdStream(int fd);                       ///< not owned
    std::string_view head() const { return head_; }  ///< the first 8 bytes, fewer if there are fewer
    size_t read(char* buffer, size_t size) override;

private:
    int fd_;
    std::string head_;
    size_t taken_ = 0;
};

/// The content of what `source` brings. Data that ends early or is damaged is Error invalid_argument.
std::unique_ptr<ByteStream> decompress(std::unique_ptr<ByteStream> source, Compression compression);

/// The content of what can be read from `fd`, compressed or not.
std::unique_ptr<ByteStream> open_compressed(int fd);

/// Compresses with gzip, which every tool reads, quickly (ISA-L); `sink` is called with the pieces.
void compress_gzip(ByteStream& source, const std::function<void(std::string_view)>& sink);

}  // namespace kedge::runtime
