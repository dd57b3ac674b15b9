#pragma once

#include "base/fd.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace kedge::runtime {

/// Tells when something is written, made or renamed in folders. One inotify(7) instance and one thread for all of them,
/// begun with the first; it sleeps while nothing happens. Thread-safe.
class FolderWatch {
public:
    FolderWatch() = default;
    ~FolderWatch();
    FolderWatch(const FolderWatch&) = delete;
    FolderWatch& operator=(const FolderWatch&) = delete;

    /// One who is told; no more once it is destroyed. It doesn't outlive the FolderWatch.
    class Watch;
    /// `changed` runs on the thread, with a lock held: it only notes that something happened. The kernel may have
    /// reported more than one change at once, or none where it had too many.
    std::shared_ptr<Watch> add(const std::string& folder, std::function<void()> changed);

private:
    void begin();  ///< mutex_ is held
    void run();
    void tell(int number);

    Fd inotify_, wake_;
    std::mutex mutex_;
    std::multimap<int, std::function<void()>> watches_;  ///< by watch descriptor
    std::thread thread_;
};

}  // namespace kedge::runtime
