#include "runtime/containers/container_store.h"

#include "base/error.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>

namespace kedge::runtime {

ContainerStore::ContainerStore(Database& database) : database_(database) {
    database_.migrate("containers", {"CREATE TABLE containers(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
                                     "spec TEXT NOT NULL, resolved TEXT NOT NULL, state TEXT NOT NULL)"});
    std::vector<std::string> damaged_ids;
    database_.read([&](SQLite::Database& db) {
        SQLite::Statement query(db, "SELECT id, name, spec, resolved, state FROM containers");
        while (query.executeStep()) {
            auto record = std::make_shared<ContainerRecord>();
            record->info.id = query.getColumn(0).getString();
            record->info.name = query.getColumn(1).getString();
            std::string id = record->info.id;
            try {
                record->info.spec = container_spec_from_json(query.getColumn(2).getString());
                resolved_from_json(query.getColumn(3).getString(), record.get());
                state_from_json(query.getColumn(4).getString(), record.get());
            } catch (const Error& e) {
                damaged_.push_back(fmt::format("{} ({}): {}", record->info.name, id, e.what()));
                damaged_ids.push_back(id);
                continue;
            }
            auto entry = std::make_shared<Entry>();
            entry->record = record;
            entries_[id] = entry;
        }
    });
    if (damaged_ids.empty()) return;
    database_.transaction(Database::Durability::process, [&](SQLite::Database& db) {
        for (const std::string& id : damaged_ids) {
            SQLite::Statement row(db, "DELETE FROM containers WHERE id = ?");
            row.bind(1, id);
            row.exec();
        }
    });
}

ContainerStore::Snapshot ContainerStore::find(const std::string& name_or_id) const {
    std::string wanted = name_or_id.starts_with('/') ? name_or_id.substr(1) : name_or_id;
    auto none = [&] { return Error(Code::not_found, "No such container: " + name_or_id); };
    if (wanted.empty()) throw none();
    std::lock_guard lock(mutex_);
    if (auto whole = entries_.find(wanted); whole != entries_.end()) return whole->second->record;
    for (const auto& [id, entry] : entries_) {
        if (entry->record->info.name == wanted && entry->record->complete) return entry->record;
    }
    Snapshot found;
    for (auto it = entries_.lower_bound(wanted); it != entries_.end() && it->first.starts_with(wanted); ++it) {
        if (!it->second->record->complete) continue;
        if (found) throw Error(Code::invalid_argument, "multiple IDs found with provided prefix: " + wanted);
        found = it->second->record;
    }
    if (!found) throw none();
    return found;
}

ContainerStore::Snapshot ContainerStore::get(const std::string& id) const {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second->record;
}

std::vector<ContainerStore::Snapshot> ContainerStore::list() const {
    std::vector<Snapshot> all;
    {
        std::lock_guard lock(mutex_);
        for (const auto& [id, entry] : entries_) all.push_back(entry->record);
    }
    std::sort(all.begin(), all.end(),
              [](const Snapshot& a, const Snapshot& b) { return a->info.created > b->info.created; });
    return all;
}

void ContainerStore::check_name_is_free(const std::string& name, const std::string& id) const {
    std::lock_guard lock(mutex_);
    for (const auto& [other, entry] : entries_) {
        if (entry->record->info.name == name && other != id) {
            throw Error(
                Code::conflict,
                fmt::format("Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to "
                            "remove (or rename) that container to be able to reuse that name.",
                            name, other));
        }
    }
}

void ContainerStore::insert(const ContainerRecord& record) {
    std::lock_guard writing(writing_);
    check_name_is_free(record.info.name, record.info.id);
    database_.transaction(Database::Durability::process, [&](SQLite::Database& db) {
        SQLite::Statement row(db, "INSERT INTO containers(id, name, spec, resolved, state) VALUES(?, ?, ?, ?, ?)");
        row.bind(1, record.info.id);
        row.bind(2, record.info.name);
        row.bind(3, to_json_text(record.info.spec));
        row.bind(4, resolved_to_json(record));
        row.bind(5, state_to_json(record));
        row.exec();
    });
    auto entry = std::make_shared<Entry>();
    entry->record = std::make_shared<const ContainerRecord>(record);
    std::lock_guard lock(mutex_);
    entries_[record.info.id] = entry;
}

void ContainerStore::write_state(const std::vector<const ContainerRecord*>& records, Keep keep, bool with_spec) {
    if (keep == Keep::memory) return;
    auto durability = keep == Keep::power ? Database::Durability::power : Database::Durability::process;
    database_.transaction(durability, [&](SQLite::Database& db) {
        for (const ContainerRecord* record : records) {
            SQLite::Statement row(db, "UPDATE containers SET name = ?, state = ? WHERE id = ?");
            row.bind(1, record->info.name);
            row.bind(2, state_to_json(*record));
            row.bind(3, record->info.id);
            row.exec();
            if (!with_spec) continue;
            SQLite::Statement spec(db, "UPDATE containers SET spec = ? WHERE id = ?");
            spec.bind(1, to_json_text(record->info.spec));
            spec.bind(2, record->info.id);
            spec.exec();
        }
    });
}

ContainerStore::Snapshot ContainerStore::change(const std::string& id, Keep keep,
                                                const std::function<void(ContainerRecord&)>& edit,
                                                const std::function<void(const ContainerRecord&)>& tell) {
    std::lock_guard writing(writing_);
    Snapshot old = get(id);
    if (!old) throw Error(Code::not_found, "No such container: " + id);
    auto edited = std::make_shared<ContainerRecord>(*old);
    edit(*edited);
    if (edited->info.name != old->info.name) check_name_is_free(edited->info.name, id);
    write_state({edited.get()}, keep, edited->info.spec != old->info.spec);
    {
        std::lock_guard lock(mutex_);
        entries_.at(id)->record = edited;
    }
    if (tell) tell(*edited);
    observers_.call(id, edited.get());
    changed_.notify_all();
    return edited;
}

void ContainerStore::change_both(const std::string& a, const std::string& b,
                                 const std::function<void(ContainerRecord&, ContainerRecord&)>& edit) {
    std::lock_guard writing(writing_);
    Snapshot old_a = get(a), old_b = get(b);
    if (!old_a || !old_b) throw Error(Code::not_found, "No such container: " + (old_a ? b : a));
    auto new_a = std::make_shared<ContainerRecord>(*old_a);
    auto new_b = std::make_shared<ContainerRecord>(*old_b);
    edit(*new_a, *new_b);
    write_state({new_a.get(), new_b.get()}, Keep::power, false);
    {
        std::lock_guard lock(mutex_);
        entries_.at(a)->record = new_a;
        entries_.at(b)->record = new_b;
    }
    observers_.call(a, new_a.get());
    observers_.call(b, new_b.get());
    changed_.notify_all();
}

void ContainerStore::erase(const std::string& id, const std::function<void()>& tell) {
    std::lock_guard writing(writing_);
    database_.transaction(Database::Durability::process, [&](SQLite::Database& db) {
        SQLite::Statement row(db, "DELETE FROM containers WHERE id = ?");
        row.bind(1, id);
        row.exec();
    });
    {
        std::lock_guard lock(mutex_);
        if (auto found = entries_.find(id); found != entries_.end()) {
            found->second->erased = true;
            entries_.erase(found);
        }
    }
    tell();
    observers_.call(id, nullptr);
    changed_.notify_all();
}

ContainerStore::Snapshot ContainerStore::wait(const Snapshot& from,
                                              const std::function<bool(const ContainerRecord&)>& ready,
                                              std::stop_token stop,
                                              std::chrono::steady_clock::time_point deadline) const {
    std::unique_lock lock(mutex_);
    auto found = entries_.find(from->info.id);
    if (found == entries_.end()) return from;
    std::shared_ptr<Entry> entry = found->second;  // outlives the removal, with the last record
    auto done = [&] { return entry->erased || ready(*entry->record); };
    bool met = deadline == std::chrono::steady_clock::time_point::max()
                   ? changed_.wait(lock, stop, done)
                   : changed_.wait_until(lock, stop, deadline, done);
    return met ? entry->record : nullptr;
}

}  // namespace kedge::runtime
