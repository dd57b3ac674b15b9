#include "runtime/containers/log_reader.h"

#include "base/error.h"
#include "base/folder.h"
#include "runtime/containers/log_line.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

namespace kedge::runtime {

namespace {

using Read = LogFollower::Read;

constexpr size_t kBlock = 65536;
constexpr size_t kAtOnce = size_t{1} << 20;

struct stat info_of(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) throw_errno("stat log");
    return info;
}

bool same_file(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

std::optional<Fd> open_if_there(int folder, const std::string& name) {
    try {
        return open_at(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        return std::nullopt;
    }
}

size_t read_block(int fd, char* buffer, size_t size, int64_t offset) {
    while (true) {
        ssize_t n = ::pread(fd, buffer, size, offset);
        if (n >= 0) return static_cast<size_t>(n);
        if (errno != EINTR) throw_errno("read log");
    }
}

/// Where the last `*lines` lines of a file begin; subtracts what it found from *lines.
int64_t tail_offset(int fd, int64_t* lines) {
    int64_t end = info_of(fd).st_size;
    std::string block(kBlock, '\0');
    for (int64_t at = end; at > 0;) {
        auto size = static_cast<size_t>(std::min<int64_t>(at, kBlock));
        at -= static_cast<int64_t>(size);
        size = read_block(fd, block.data(), size, at);
        for (size_t i = size; i > 0; --i) {
            int64_t here = at + static_cast<int64_t>(i) - 1;
            if (block[i - 1] != '\n' || here == end - 1) continue;  // the file's last line end closes the last line
            if (--*lines == 0) return here + 1;
        }
    }
    if (end > 0) --*lines;
    return 0;
}

}  // namespace

LogReader::LogReader(const std::string& folder, std::string name)
    : folder_(open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY)), name_(std::move(name)), files_(open_files()) {}

std::vector<Fd> LogReader::open_files() const {
    std::vector<std::pair<int, std::string>> names = {{0, name_}};
    for (const std::string& name : names_in(folder_.get())) {
        int number = 0;
        if (!name.starts_with(name_ + ".")) continue;
        auto [end, error] = std::from_chars(name.data() + name_.size() + 1, name.data() + name.size(), number);
        if (error == std::errc() && end == name.data() + name.size() && number > 0) names.emplace_back(number, name);
    }
    std::sort(names.begin(), names.end());
    // The newest is opened first: a rotation meanwhile makes names older, so a file may be met twice, but none is
    // missed.
    std::vector<Fd> files;
    for (const auto& [number, name] : names) {
        auto file = open_if_there(folder_.get(), name);
        if (!file) continue;
        struct stat info = info_of(file->get());
        bool known =
            std::any_of(files.begin(), files.end(), [&](const Fd& f) { return same_file(info_of(f.get()), info); });
        if (!known) files.push_back(std::move(*file));
    }
    std::reverse(files.begin(), files.end());
    return files;
}

void LogReader::seek_tail(int64_t lines) {
    if (lines < 0) return;
    current_ = files_.size();
    offset_ = 0;
    while (current_ > 0 && lines > 0) {
        --current_;
        offset_ = tail_offset(files_[current_].get(), &lines);
    }
    if (lines == 0 && current_ == files_.size() && !files_.empty()) {  // none of what is there
        current_ = files_.size() - 1;
        offset_ = info_of(files_.back().get()).st_size;
    }
}

Read LogReader::read(const LogOptions& options, const LogSink& sink) {
    if (files_.empty()) files_ = open_files();
    size_t left = kAtOnce;
    while (current_ < files_.size()) {
        if (Read read = read_current(options, sink, &left); read != Read::waiting) return read;
        if (current_ + 1 == files_.size() && !next_file()) break;
        // The writer is done with this one; what it wrote between the read and the rotation is read now.
        if (Read read = read_current(options, sink, &left); read != Read::waiting) return read;
        pending_.clear();
        ++current_;
        offset_ = 0;
    }
    if (pending_.empty()) pending_.shrink_to_fit();  // most wait, for most of the time
    return Read::waiting;
}

/// After the newest file known: whether there is a newer one by now. Then files_ has it.
bool LogReader::next_file() {
    auto newest = open_if_there(folder_.get(), name_);
    struct stat mine = info_of(files_[current_].get());
    if (!newest || same_file(info_of(newest->get()), mine)) return false;
    std::vector<Fd> files = open_files();
    auto self =
        std::find_if(files.begin(), files.end(), [&](const Fd& f) { return same_file(info_of(f.get()), mine); });
    std::vector<Fd> rest;
    rest.push_back(std::move(files_[current_]));
    auto from = self == files.end() ? files.begin() : self + 1;
    std::move(from, files.end(), std::back_inserter(rest));
    files_ = std::move(rest);
    current_ = 0;
    return files_.size() > 1;
}

Read LogReader::read_current(const LogOptions& options, const LogSink& sink, size_t* left) {
    int fd = files_[current_].get();
    if (info_of(fd).st_size < offset_) {  // a log of one file is rotated by emptying it
        offset_ = 0;
        pending_.clear();
    }
    LogLine line;
    size_t start = 0;
    auto hand_over = [&] {
        for (size_t end; (end = pending_.find('\n', start)) != std::string::npos;) {
            std::string_view text = std::string_view(pending_).substr(start, end - start);
            start = end + 1;
            if (!decode_log_line(text, &line)) continue;
            if (!(line.err ? options.err : options.out)) continue;
            if (line.time < options.since) continue;
            if (options.until != WallTime{} && line.time > options.until) return Read::ended;
            if (!sink(line)) return Read::more;
        }
        return Read::waiting;
    };
    while (true) {
        Read read = hand_over();
        pending_.erase(0, start);
        start = 0;
        if (read != Read::waiting) return read;
        if (*left == 0) return Read::more;
        size_t had = pending_.size();
        pending_.resize(had + kBlock);
        size_t n = read_block(fd, pending_.data() + had, kBlock, offset_);
        pending_.resize(had + n);
        if (n == 0) return Read::waiting;
        offset_ += static_cast<int64_t>(n);
        *left -= std::min(*left, n);
    }
}

}  // namespace kedge::runtime
