#include "sources/compose_keys.h"
#include "sources/compose_merge.h"
#include "sources/compose_tree.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

namespace kedge::sources {

using yaml::fail;
using yaml::Node;

namespace {

constexpr size_t kChainLimit = 32;

/// A file whose services may be extended. Its relative paths start at `folder`.
struct Tree {
    const Node* file;
    std::string path, folder;
};

class Extending {
public:
    explicit Extending(Loading& loading) : loading_(loading) {}

    Node resolve(const Tree& tree, const std::string& name) {
        const Node* services = tree.file->find("services");
        Node service = *services->find(name);
        const Node* extends = service.find("extends");
        if (!extends || extends->is_null()) return service;
        enter(tree, name, *extends);
        Node base = base_of(tree, name, *extends);
        chain_.pop_back();
        service.erase("extends");
        base.place = service.place;
        base.line = service.line;
        merge_service(base, std::move(service));
        // Many small services may extend a large one.
        spend(loading_, base, yaml::count_bytes(base));
        count_ += yaml::count_nodes(base);
        if (count_ > yaml::kNodeLimit)
            fail(base, fmt::format("extended services have more than {} values", yaml::kNodeLimit));
        return base;
    }

private:
    void enter(const Tree& tree, const std::string& name, const Node& extends) {
        std::string link = fmt::format("{} in {}", name, loading_.files.shown(tree.path));
        bool seen = std::find(chain_.begin(), chain_.end(), link) != chain_.end();
        chain_.push_back(link);
        if (seen || chain_.size() > kChainLimit) {
            fail(extends, fmt::format("circular reference: {}", fmt::join(chain_, " extends ")));
        }
    }

    Node base_of(const Tree& tree, const std::string& name, const Node& extends) {
        std::string base = extends.text, file;
        if (extends.is_map()) {
            check_keys(extends, keys::extends);
            with(extends, "service", [&](const Node& value) { base = read_string(value); });
            with(extends, "file", [&](const Node& value) { file = read_string(value); });
        } else {
            read_string(extends);
        }
        if (base.empty()) fail(extends, "service is missing");
        if (file.empty()) return resolve_in(tree, name, base, extends);
        check_path(extends, file);
        std::string path = resolve_path(tree.folder, file);
        Tree other{&load(path, extends), path, std::filesystem::path(path).parent_path().string()};
        Node service = resolve_in(other, name, base, extends);
        rebase_service(service, other.folder, tree.folder);
        return service;
    }

    Node resolve_in(const Tree& tree, const std::string& name, const std::string& base, const Node& extends) {
        const Node* services = tree.file->find("services");
        if (!services || !services->find(base)) {
            fail(extends, fmt::format("cannot extend service \"{}\": service \"{}\" not found in {}", name, base,
                                      loading_.files.shown(tree.path)));
        }
        return resolve(tree, base);
    }

    const Node& load(const std::string& path, const Node& from) {
        auto found = others_.find(path);
        if (found == others_.end()) found = others_.emplace(path, load_file(loading_, path, &from)).first;
        return found->second;
    }

    Loading& loading_;
    std::map<std::string, Node> others_;
    std::vector<std::string> chain_;
    size_t count_ = 0;
};

}  // namespace

void resolve_extends(Loading& loading, Node& file, const std::string& path, const std::string& folder) {
    Node* services = file.find("services");
    if (!services || !services->is_map()) return;
    Extending extending(loading);
    // Resolved beside the file, so that a service extends what another one is in the file, once.
    std::vector<yaml::Entry> resolved;
    for (const auto& [name, service] : services->entries) {
        if (service.find("extends")) resolved.push_back({name, extending.resolve({&file, path, folder}, name)});
    }
    for (auto& [name, service] : resolved) *services->find(name) = std::move(service);
}

void rebase_path(Node& path, const std::string& from, const std::string& to) {
    if (!path.is_string() || path.text.empty() || path.text.size() > kPathLimit || path.text[0] == '/' ||
        path.text[0] == '~')
        return;
    std::string moved = std::filesystem::path(resolve_path(from, path.text)).lexically_relative(to).string();
    path.text = moved.starts_with("..") ? moved : "./" + moved;
}

void rebase_service(Node& service, const std::string& from, const std::string& to) {
    if (from == to) return;
    if (Node* volumes = service.find("volumes")) {
        for (Node& item : volumes->items) {
            if (item.is_map()) {
                const Node* type = item.find("type");
                Node* source = item.find("source");
                if (type && type->text == "bind" && source) rebase_path(*source, from, to);
            } else if (item.text.starts_with('.') && item.text.find(':') != std::string::npos) {
                size_t colon = item.text.find(':');
                Node source = yaml::string_node(item, item.text.substr(0, colon));
                rebase_path(source, from, to);
                item.text = source.text + item.text.substr(colon);
            }
        }
    }
    if (Node* files = service.find("env_file")) {
        for (Node& item : files->items) {
            if (Node* path = item.find("path")) rebase_path(*path, from, to);
            rebase_path(item, from, to);
        }
    }
    if (Node* options = service.find("security_opt")) {
        for (Node& item : options->items) {
            if (!item.text.starts_with("seccomp:.") && !item.text.starts_with("seccomp=.")) continue;
            Node profile = yaml::string_node(item, item.text.substr(8));
            rebase_path(profile, from, to);
            item.text = "seccomp=" + profile.text;
        }
    }
}

}  // namespace kedge::sources
