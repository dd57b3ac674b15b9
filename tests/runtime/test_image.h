#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "tests/runtime/tar_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>

namespace kedge::test {

/// The bytes in a memory file, at its start.
inline Fd memory_file(std::string_view data) {
    Fd fd(::memfd_create("test", MFD_CLOEXEC));
    write_all(fd.get(), data);
    (void)::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

/// A root file system of busybox alone (Debian's busybox-static) with its usual names in /bin. `more` adds to it.
inline std::string busybox_tar(const std::function<void(TarWriter&)>& more = {}) {
    static const std::string busybox = [] {
        for (const char* path : {"/bin/busybox", "/usr/bin/busybox"}) {
            if (::access(path, X_OK) == 0) return read_file_at(AT_FDCWD, path);
        }
        throw Error(Code::not_found, "these tests need busybox-static");
    }();
    TarWriter tar;
    for (const char* folder : {"bin", "etc", "root", "var", "usr", "data"}) tar.folder(folder);
    tar.folder("tmp", 01777);
    tar.file("bin/busybox", busybox, 0755);
    for (const char* name :
         {"sh",      "cat",  "echo",  "sleep", "true",   "false",  "ls",       "id",   "ip",    "kill",
          "touch",   "stat", "nc",    "env",   "printf", "trap",   "hostname", "wget", "httpd", "nslookup",
          "test",    "head", "ps",    "yes",   "chown",  "chmod",  "mkdir",    "dd",   "seq",   "pwd",
          "rm",      "ping", "mount", "grep",  "date",   "tr",     "readlink", "stty", "tty",   "mknod",
          "unshare", "wc",   "cut",   "sort",  "ln",     "mkfifo", "umount"}) {
        tar.link(std::string("bin/") + name, "busybox");
    }
    tar.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
    tar.file("etc/group", "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n");
    if (more) more(tar);
    return tar.finish();
}

}  // namespace kedge::test
