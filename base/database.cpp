#include "base/database.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

namespace kedge {

namespace {

Error to_error(const SQLite::Exception& e) {
    Code code = Code::internal;
    if (e.getErrorCode() == SQLITE_FULL) code = Code::resource_exhausted;
    if (e.getErrorCode() == SQLITE_BUSY || e.getErrorCode() == SQLITE_IOERR) code = Code::unavailable;
    if (e.getErrorCode() == SQLITE_CONSTRAINT) code = Code::conflict;
    return Error(code, std::string("kedge.db: ") + e.what());
}

bool is_damage(const SQLite::Exception& e) {
    return e.getErrorCode() == SQLITE_CORRUPT || e.getErrorCode() == SQLITE_NOTADB;
}

/// Makes the file for its owner alone, as it holds what containers get as secrets. SQLite gives the files beside it the
/// same rights; ones that an older kedge made are still there after a crash.
void keep_private(const std::string& path) {
    (void)open_at(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    for (const char* end : {"", "-wal", "-shm"}) {
        if (::chmod((path + end).c_str(), 0600) != 0 && errno != ENOENT) throw_errno("chmod " + path + end);
    }
}

}  // namespace

void Database::open(const std::string& path) {
    keep_private(path);
    db_ = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000);
    db_->exec("PRAGMA journal_mode=WAL");
    db_->exec("PRAGMA synchronous=NORMAL");
    db_->exec("PRAGMA foreign_keys=ON");
    SQLite::Statement check(*db_, "PRAGMA quick_check(1)");
    if (!check.executeStep() || check.getColumn(0).getString() != "ok") {
        throw SQLite::Exception("database disk image is malformed", SQLITE_CORRUPT);
    }
    db_->exec("CREATE TABLE IF NOT EXISTS schema_version(room TEXT PRIMARY KEY, version INTEGER NOT NULL)");
}

Database::Database(const std::string& path) {
    try {
        try {
            open(path);
        } catch (const SQLite::Exception& e) {
            if (!is_damage(e)) throw;
            db_.reset();
            damaged_ = path + ".damaged-" + format_time(wall_now());
            if (std::rename(path.c_str(), damaged_.c_str()) != 0) throw_errno("set aside " + path);
            (void)std::remove((path + "-wal").c_str());  // belongs to the damaged file
            (void)std::remove((path + "-shm").c_str());
            open(path);
        }
    } catch (const SQLite::Exception& e) {
        throw to_error(e).with_context(path);
    }
}

Database::~Database() = default;

void Database::migrate(const std::string& room, const std::vector<std::string>& steps) {
    transaction(Durability::power, [&](SQLite::Database& db) {
        SQLite::Statement query(db, "SELECT version FROM schema_version WHERE room = ?");
        query.bind(1, room);
        size_t version = query.executeStep() ? static_cast<size_t>(query.getColumn(0).getInt64()) : 0;
        query.reset();
        if (version > steps.size()) {
            throw Error(Code::conflict, "kedge.db: the tables of " + room + " were written by a newer kedge (version " +
                                            std::to_string(version) + ", this one knows " +
                                            std::to_string(steps.size()) + ")");
        }
        for (size_t i = version; i < steps.size(); ++i) db.exec(steps[i]);
        SQLite::Statement update(db, "INSERT OR REPLACE INTO schema_version(room, version) VALUES(?, ?)");
        update.bind(1, room);
        update.bind(2, static_cast<int64_t>(steps.size()));
        update.exec();
    });
}

void Database::transaction(Durability durability, const std::function<void(SQLite::Database&)>& work) {
    std::lock_guard lock(mutex_);
    try {
        if (durability != durability_) {
            db_->exec(durability == Durability::power ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
            durability_ = durability;
        }
        SQLite::Transaction transaction(*db_, SQLite::TransactionBehavior::IMMEDIATE);
        work(*db_);
        transaction.commit();
    } catch (const SQLite::Exception& e) {
        throw to_error(e);
    }
}

void Database::read(const std::function<void(SQLite::Database&)>& work) const {
    std::lock_guard lock(mutex_);
    try {
        work(*db_);
    } catch (const SQLite::Exception& e) {
        throw to_error(e);
    }
}

}  // namespace kedge
