#pragma once

#include "runtime/attachment.h"

#include <condition_variable>
#include <list>
#include <mutex>
#include <string>

namespace kedge::runtime {

/// The shim's side of an attachment on its way there. Thread-safe.
class Handover {
public:
    Handover(uint32_t flags, Fd out, Fd err) : flags_(flags), out_(std::move(out)), err_(std::move(err)) {}

    /// Gives the pipes to the shim of the container that runs from this folder. One that has just ended is no error:
    /// the pipes end. Throws Error if the shim refuses.
    void give(const std::string& run_folder);
    /// The container won't run: the pipes end.
    void give_up() { settle({}); }

    Attachment::Begun wait(const std::stop_token& stop);

private:
    void settle(Attachment::Begun begun);

    const uint32_t flags_;  ///< shim::AttachFlag
    std::mutex mutex_;
    std::condition_variable_any settled_;
    bool is_settled_ = false;
    Fd out_, err_;
    Attachment::Begun begun_;
};

/// Who waits for a container's next start. Those that are left when it is destroyed are given up. Thread-safe.
class AttachQueue {
public:
    AttachQueue() = default;
    ~AttachQueue() { give_up(); }
    AttachQueue(const AttachQueue&) = delete;
    AttachQueue& operator=(const AttachQueue&) = delete;

    void add(std::shared_ptr<Handover> handover);
    void remove(const std::shared_ptr<Handover>& handover);
    /// The container has been made in this folder and doesn't execute yet.
    void give(const std::string& run_folder);
    void give_up();

private:
    std::list<std::shared_ptr<Handover>> take();

    std::mutex mutex_;
    std::list<std::shared_ptr<Handover>> waiting_;
};

/// `queue`: where it waits until the container starts; null if it runs already and everything is given.
std::unique_ptr<Attachment> make_attachment(const AttachOptions& options, const std::shared_ptr<AttachQueue>& queue,
                                            const std::string& run_folder);

}  // namespace kedge::runtime
