#pragma once

#include "base/database.h"
#include "base/fd.h"
#include "runtime/events.h"
#include "runtime/volumes.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace kedge::runtime {

/// Volumes in <root>/volumes/<name>/_data. Every volume has a row in the database; a volume whose row was lost (a
/// damaged database) comes back from its folder, as data of users is never thrown away for bookkeeping's sake.
/// Thread-safe.
class VolumeStore : public Volumes {
public:
    /// The ids of the containers, running or not, that use a volume.
    using UsedBy = std::function<std::vector<std::string>(const std::string& name)>;

    VolumeStore(const std::string& folder, Database& database, Events& events, UsedBy used_by);
    ~VolumeStore() override;

    VolumeInfo create(const VolumeSpec& spec) override;
    /// A volume that was asked for without a name and got this one.
    void create_anonymous(const std::string& name, const std::map<std::string, std::string>& options = {});
    void remove(const std::string& name, bool force) override;
    VolumeInfo inspect(const std::string& name) const override;
    int64_t size(const std::string& name) const override;
    std::vector<VolumeInfo> list() const override;

    /// Gives an empty volume its first content: `copy` writes into a new folder and tells whether it did; what it wrote
    /// gets into _data whole or not at all, also when the power goes. _data itself stays the same folder, as it may be
    /// mounted somewhere. Does nothing when there is something in the volume. Two fills of one volume come one after
    /// the other.
    void fill(const std::string& name, const std::function<bool(int folder)>& copy);

    /// Docker's rule for names: `[a-zA-Z0-9][a-zA-Z0-9_.-]`, at least two characters. Throws Error.
    static void check_name(const std::string& name);

private:
    void load();
    void adopt_folders();
    void finish_removal(const std::string& name);
    void adopt_folder(const std::string& name);
    void insert(const VolumeInfo& info);
    VolumeInfo add(VolumeInfo info);
    void make_folder(const std::string& name);
    void finish_fill(const std::string& name);
    void publish(const std::string& action, const std::string& name);

    std::string path_;
    Fd folder_;
    Database& database_;
    Events& events_;
    UsedBy used_by_;
    mutable std::mutex mutex_;  ///< volumes_, and one change at a time
    std::mutex filling_;
    std::map<std::string, VolumeInfo> volumes_;
};

}  // namespace kedge::runtime
