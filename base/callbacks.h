#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace kedge {

/// Whom to tell, by key. Callbacks run on the thread that tells, with this list's lock held: they only note that
/// something happened. Once its Handle is gone a callback doesn't run any more. Thread-safe.
template <typename Key, typename... Args>
class Callbacks {
    struct State {
        std::mutex mutex;
        std::multimap<Key, std::function<void(Args...)>> list;
    };

public:
    /// Keeps a callback in the list; may outlive it.
    class Handle {
    public:
        Handle() = default;
        Handle(Handle&& other) noexcept : state_(std::move(other.state_)), entry_(other.entry_) {}
        Handle& operator=(Handle&& other) noexcept {
            drop();
            state_ = std::move(other.state_);
            entry_ = other.entry_;
            return *this;
        }
        ~Handle() { drop(); }

    private:
        friend class Callbacks;
        using Entry = typename std::multimap<Key, std::function<void(Args...)>>::iterator;
        Handle(std::shared_ptr<State> state, Entry entry) : state_(std::move(state)), entry_(entry) {}
        void drop() {
            if (!state_) return;
            std::lock_guard lock(state_->mutex);
            state_->list.erase(entry_);
        }

        std::shared_ptr<State> state_;
        Entry entry_;
    };

    [[nodiscard]] Handle add(const Key& key, std::function<void(Args...)> callback) {
        std::lock_guard lock(state_->mutex);
        return Handle(state_, state_->list.emplace(key, std::move(callback)));
    }

    void call(const Key& key, Args... args) const {
        std::lock_guard lock(state_->mutex);
        auto [begin, end] = state_->list.equal_range(key);
        for (auto it = begin; it != end; ++it) it->second(args...);
    }

private:
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace kedge
