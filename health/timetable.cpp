#include "health/timetable.h"

#include "base/log.h"

#include <algorithm>
#include <system_error>

namespace kedge::health {

Timetable::Timetable(size_t kept, size_t most) : kept_(std::max<size_t>(kept, 1)), most_(std::max(kept_, most)) {}

Timetable::~Timetable() {
    std::map<std::thread::id, std::thread> left;
    std::vector<std::shared_ptr<Entry>> stopped;
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
        for (auto& [name, entry] : entries_) stopped.push_back(std::move(entry));
        entries_.clear();
        left.swap(threads_);
    }
    turn_.notify_all();
    changed_.notify_all();
    for (auto& entry : stopped) entry->stop.request_stop();
    for (auto& [id, thread] : left) thread.join();
    for (auto& thread : ended_) thread.join();
}

void Timetable::put(const std::string& name, SteadyTime first, Job job) {
    auto entry = std::make_shared<Entry>();
    entry->job = std::move(job);
    entry->due = first;
    std::shared_ptr<Entry> old;
    {
        std::lock_guard lock(mutex_);
        if (ending_) return;
        std::swap(old, entries_[name]);
        entries_[name] = entry;
        if (idle_ == 0) add_thread();
    }
    changed_.notify_one();
    if (old) old->stop.request_stop();  // without the lock: it calls back
}

void Timetable::drop(const std::string& name) {
    std::shared_ptr<Entry> old;
    {
        std::lock_guard lock(mutex_);
        auto found = entries_.find(name);
        if (found == entries_.end()) return;
        old = std::move(found->second);
        entries_.erase(found);
    }
    old->stop.request_stop();
}

size_t Timetable::threads() const {
    std::lock_guard lock(mutex_);
    return threads_.size();
}

/// With the lock. One thread more if there may be.
void Timetable::add_thread() {
    for (auto& thread : ended_) thread.join();  // they are past their last use of the lock
    ended_.clear();
    if (threads_.size() >= most_) return;
    try {
        std::thread thread([this] { run(); });
        auto id = thread.get_id();
        threads_.emplace(id, std::move(thread));
        ++idle_;  // from now on, so that nobody makes another one before this one is up
    } catch (const std::system_error& e) {
        log(LogLevel::warning, std::string("no thread for probes: ") + e.what());  // those that are there go on
    }
}

/// With the lock. The job that is due first of those that nobody does.
Timetable::Entries::iterator Timetable::next() {
    auto earliest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
        if (it->second->busy) continue;
        if (earliest == entries_.end() || it->second->due < earliest->second->due) earliest = it;
    }
    return earliest;
}

/// Waits for the next job to be due, and takes it. Null at the end.
std::shared_ptr<Timetable::Entry> Timetable::await_due(std::unique_lock<std::mutex>& lock, std::string* name) {
    while (!ending_) {
        auto found = next();
        if (found == entries_.end()) {
            changed_.wait(lock);
        } else if (found->second->due <= std::chrono::steady_clock::now()) {
            *name = found->first;
            found->second->busy = true;
            return found->second;
        } else {
            SteadyTime due = found->second->due;  // the entry may go meanwhile
            changed_.wait_until(lock, due);
        }
    }
    return nullptr;
}

void Timetable::run() {
    (void)::pthread_setname_np(::pthread_self(), "probe");
    std::unique_lock lock(mutex_);
    while (true) {
        turn_.wait(lock, [this] { return ending_ || !led_; });
        led_ = true;
        std::string name;
        std::shared_ptr<Entry> entry = await_due(lock, &name);
        led_ = false;
        if (!entry) break;
        --idle_;
        if (idle_ == 0) add_thread();
        lock.unlock();
        turn_.notify_one();
        std::optional<SteadyTime> again = entry->job(entry->stop.get_token());
        lock.lock();
        done(name, entry, again);
        if (ending_ || idle_ >= kept_) break;
        ++idle_;
    }
    auto self = threads_.find(std::this_thread::get_id());
    if (self == threads_.end()) return;  // the destructor has it
    ended_.push_back(std::move(self->second));
    threads_.erase(self);
}

/// With the lock. Unless the job was dropped or replaced meanwhile, it is due again.
void Timetable::done(const std::string& name, const std::shared_ptr<Entry>& entry, std::optional<SteadyTime> again) {
    auto found = entries_.find(name);
    if (found == entries_.end() || found->second != entry) return;
    if (!again) {
        entries_.erase(found);
        return;
    }
    entry->due = *again;
    entry->busy = false;
    changed_.notify_one();
}

}  // namespace kedge::health
