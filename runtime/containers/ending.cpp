#include "runtime/containers/ending.h"

#include "base/error.h"

namespace kedge::runtime {

namespace {

bool runs_no_more(const ContainerRecord& record) {
    return !is_up(record.info.status) && record.info.status != Status::restarting && !record.starting;
}

}  // namespace

RecordEnding::RecordEnding(ContainerStore& store, const std::string& id, Until until)
    : before_(store.find(id)), until_(until), last_code_(before_->info.exit_code) {
    const std::string& whole_id = before_->info.id;
    auto seen = [this](const ContainerRecord* record) {
        std::lock_guard lock(mutex_);
        note(record);
    };
    // Its changes are seen in their order, also the one that comes while this looks.
    std::lock_guard lock(mutex_);
    observation_ = store.observe(whole_id, seen);
    note(store.get(whole_id).get());
}

void RecordEnding::note(const ContainerRecord* record) {
    if (exit_code_) return;
    if (record) last_code_ = record->info.exit_code;
    auto has_exited = [&](const ContainerInfo& info) {
        return !is_up(info.status) && info.finished != WallTime{} && info.finished != before_->info.finished;
    };
    bool come = !record || (until_ == Until::not_running && runs_no_more(*record)) ||
                (until_ == Until::next_exit && has_exited(record->info));
    if (!come) return;
    exit_code_ = last_code_;
    changed_.notify_all();
    if (come_) come_();
}

std::optional<int> RecordEnding::exit_code() const {
    std::lock_guard lock(mutex_);
    return exit_code_;
}

void RecordEnding::tell(std::function<void()> come) {
    std::lock_guard lock(mutex_);
    come_ = std::move(come);
    if (come_ && exit_code_) come_();
}

int RecordEnding::wait(std::stop_token stop) const {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return exit_code_.has_value(); }))
        throw Error(Code::cancelled, "wait for container " + before_->info.id + " was cancelled");
    return *exit_code_;
}

}  // namespace kedge::runtime
