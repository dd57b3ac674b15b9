#include "runtime/images/decompress.h"

#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <isa-l/igzip_lib.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <vector>

namespace kedge::runtime {

namespace {

constexpr size_t kInputSize = 256u << 10;
constexpr size_t kHead = 8;

Error damaged(const std::string& what) {
    return Error(Code::invalid_argument, what);
}

/// Compressed bytes, a buffer at a time.
class Input {
public:
    explicit Input(std::unique_ptr<ByteStream> source) : source_(std::move(source)), buffer_(kInputSize) {}
    /// False at the end.
    bool fill() {
        size_ = source_->read(buffer_.data(), buffer_.size());
        return size_ > 0;
    }
    char* data() { return buffer_.data(); }
    size_t size() const { return size_; }

private:
    std::unique_ptr<ByteStream> source_;
    std::vector<char> buffer_;
    size_t size_ = 0;
};

/// gzip (RFC 1952) through ISA-L, which is several times as fast as zlib. Several members one after another are one
/// stream; what follows the last and is no member is ignored, as gzip does.
class GzipStream : public ByteStream {
public:
    explicit GzipStream(std::unique_ptr<ByteStream> source)
        : input_(std::move(source)), state_(std::make_unique<inflate_state>()) {
        isal_inflate_init(state_.get());
        state_->crc_flag = ISAL_GZIP;
        state_->avail_in = 0;
    }

    size_t read(char* buffer, size_t size) override {
        state_->next_out = reinterpret_cast<uint8_t*>(buffer);
        state_->avail_out = static_cast<uint32_t>(std::min<size_t>(size, 1u << 30));
        const uint32_t asked = state_->avail_out;
        while (!ended_ && state_->avail_out == asked) {
            if (state_->block_state == ISAL_BLOCK_FINISH && !next_member()) break;
            const bool dry = state_->avail_in == 0 && !take_input();
            int result = isal_inflate(state_.get());
            if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT) {
                throw damaged("damaged gzip data (" + std::to_string(result) + ")");
            }
            // Without further input there may still be output inside the decoder; once there is none, the end is
            // missing.
            if (dry && state_->avail_out == asked && state_->block_state != ISAL_BLOCK_FINISH) {
                throw damaged("truncated gzip data");
            }
        }
        return asked - state_->avail_out;
    }

private:
    bool take_input() {
        if (!input_.fill()) return false;
        state_->next_in = reinterpret_cast<uint8_t*>(input_.data());
        state_->avail_in = static_cast<uint32_t>(input_.size());
        return true;
    }

    bool next_member() {
        if (state_->avail_in == 0 && !take_input()) ended_ = true;
        if (!ended_ && state_->next_in[0] != 0x1f) ended_ = true;
        if (ended_) return false;
        uint8_t* next = state_->next_in;
        uint32_t available = state_->avail_in;
        uint8_t* out = state_->next_out;
        uint32_t room = state_->avail_out;
        isal_inflate_reset(state_.get());
        state_->crc_flag = ISAL_GZIP;
        state_->next_in = next;
        state_->avail_in = available;
        state_->next_out = out;
        state_->avail_out = room;
        return true;
    }

    Input input_;
    std::unique_ptr<inflate_state> state_;
    bool ended_ = false;
};

class ZstdStream : public ByteStream {
public:
    explicit ZstdStream(std::unique_ptr<ByteStream> source)
        : input_(std::move(source)), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
        if (!context_) throw Error(Code::resource_exhausted, "no memory for zstd");
    }

    size_t read(char* buffer, size_t size) override {
        ZSTD_outBuffer out{buffer, size, 0};
        while (out.pos == 0) {
            if (in_.pos == in_.size && !pending_) {
                if (!input_.fill()) {
                    if (!frame_done_) throw damaged("truncated zstd data");
                    return 0;
                }
                in_ = {input_.data(), input_.size(), 0};
            }
            size_t left = ZSTD_decompressStream(context_.get(), &out, &in_);
            if (ZSTD_isError(left)) throw damaged(std::string("damaged zstd data: ") + ZSTD_getErrorName(left));
            frame_done_ = left == 0;
            // A full buffer means that the decoder may hold more, without further input.
            pending_ = out.pos == out.size && !frame_done_;
        }
        return out.pos;
    }

private:
    Input input_;
    std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context_;
    ZSTD_inBuffer in_{nullptr, 0, 0};
    bool frame_done_ = false;
    bool pending_ = false;
};

/// xz and bzip2 are rare in images: libarchive's filters under its format `raw` do.
class FilterStream : public ByteStream {
public:
    explicit FilterStream(std::unique_ptr<ByteStream> source)
        : input_(std::move(source)), archive_(archive_read_new(), archive_read_free) {
        archive* a = archive_.get();
        if (!a) throw Error(Code::resource_exhausted, "no memory for libarchive");
        archive_read_support_filter_xz(a);
        archive_read_support_filter_bzip2(a);
        archive_read_support_format_raw(a);
        archive_entry* entry = nullptr;
        if (archive_read_open(a, this, nullptr, on_read, nullptr) != ARCHIVE_OK) fail();
        if (archive_read_next_header(a, &entry) != ARCHIVE_OK) fail();
    }

    size_t read(char* buffer, size_t size) override {
        la_ssize_t n = archive_read_data(archive_.get(), buffer, size);
        if (n < 0) fail();
        return static_cast<size_t>(n);
    }

private:
    [[noreturn]] void fail() {
        if (error_) std::rethrow_exception(error_);
        const char* text = archive_error_string(archive_.get());
        throw damaged(std::string("damaged compressed data: ") + (text ? text : "unreadable"));
    }

    static la_ssize_t on_read(archive* a, void* self_pointer, const void** data) {
        auto* self = static_cast<FilterStream*>(self_pointer);
        try {
            *data = self->input_.data();
            return self->input_.fill() ? static_cast<la_ssize_t>(self->input_.size()) : 0;
        } catch (...) {
            self->error_ = std::current_exception();
            archive_set_error(a, EIO, "read error");
            return ARCHIVE_FATAL;
        }
    }

    Input input_;
    std::unique_ptr<archive, int (*)(archive*)> archive_;
    std::exception_ptr error_;
};

}  // namespace

Compression detect_compression(std::string_view head) {
    using namespace std::string_view_literals;
    if (head.starts_with("\x1f\x8b"sv)) return Compression::gzip;
    if (head.starts_with("\x28\xb5\x2f\xfd"sv)) return Compression::zstd;
    // A skippable frame may come first (RFC 8878, 3.1.2).
    if (head.size() >= 4 && (head[0] & 0xf0) == 0x50 && head.substr(1, 3) == "\x2a\x4d\x18"sv) return Compression::zstd;
    if (head.starts_with("\xfd\x37zXZ\0"sv)) return Compression::xz;
    if (head.starts_with("BZh"sv)) return Compression::bzip2;
    return Compression::none;
}

FdStream::FdStream(int fd) : fd_(fd) {
    char bytes[kHead];
    size_t size = 0;
    while (size < kHead) {
        size_t n = FdStream::read(bytes + size, kHead - size);
        if (n == 0) break;
        size += n;
    }
    head_.assign(bytes, size);
}

size_t FdStream::read(char* buffer, size_t size) {
    if (taken_ < head_.size()) {
        size_t n = std::min(size, head_.size() - taken_);
        std::memcpy(buffer, head_.data() + taken_, n);
        taken_ += n;
        return n;
    }
    while (true) {
        ssize_t n = ::read(fd_, buffer, size);
        if (n >= 0) return static_cast<size_t>(n);
        if (errno != EINTR) throw_errno("read");
    }
}

std::unique_ptr<ByteStream> decompress(std::unique_ptr<ByteStream> source, Compression compression) {
    switch (compression) {
        case Compression::none: return source;
        case Compression::gzip: return std::make_unique<GzipStream>(std::move(source));
        case Compression::zstd: return std::make_unique<ZstdStream>(std::move(source));
        case Compression::xz:
        case Compression::bzip2: return std::make_unique<FilterStream>(std::move(source));
    }
    return source;
}

std::unique_ptr<ByteStream> open_compressed(int fd) {
    auto source = std::make_unique<FdStream>(fd);
    Compression compression = detect_compression(source->head());
    return decompress(std::move(source), compression);
}

void compress_gzip(ByteStream& source, const std::function<void(std::string_view)>& sink) {
    auto stream = std::make_unique<isal_zstream>();
    std::vector<uint8_t> level_buffer(ISAL_DEF_LVL1_DEFAULT);
    isal_deflate_init(stream.get());
    stream->gzip_flag = IGZIP_GZIP;
    stream->level = 1;
    stream->level_buf = level_buffer.data();
    stream->level_buf_size = static_cast<uint32_t>(level_buffer.size());
    std::vector<char> in_buffer(kInputSize);
    std::vector<char> out_buffer(kInputSize);
    while (!stream->end_of_stream) {
        const size_t size = source.read(in_buffer.data(), in_buffer.size());
        stream->end_of_stream = size == 0;
        stream->next_in = reinterpret_cast<uint8_t*>(in_buffer.data());
        stream->avail_in = static_cast<uint32_t>(size);
        do {
            stream->next_out = reinterpret_cast<uint8_t*>(out_buffer.data());
            stream->avail_out = static_cast<uint32_t>(out_buffer.size());
            if (int result = isal_deflate(stream.get()); result != COMP_OK) {
                throw Error(Code::internal, "gzip failed (" + std::to_string(result) + ")");
            }
            const size_t made = out_buffer.size() - stream->avail_out;
            if (made > 0) sink({out_buffer.data(), made});
        } while (stream->avail_out == 0 || stream->avail_in > 0);
    }
}

}  // namespace kedge::runtime
