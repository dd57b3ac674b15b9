#include "git_repository.h"

#include <git2.h>

#include <stdexcept>

namespace kedge::test {

namespace {

void check(int result) {
    if (result < 0) throw std::runtime_error(git_error_last() ? git_error_last()->message : "git");
}

}  // namespace

GitRepository::GitRepository(const std::string& folder) : folder_(folder) {
    git_libgit2_init();
    git_repository_init_options options{};
    options.version = GIT_REPOSITORY_INIT_OPTIONS_VERSION;
    options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
    options.initial_head = "main";
    check(git_repository_init_ext(&repository_, folder.c_str(), &options));
}

GitRepository::~GitRepository() {
    git_repository_free(repository_);
    git_libgit2_shutdown();
}

std::string GitRepository::commit(const std::map<std::string, std::string>& files, const std::string& message) {
    git_index* index = nullptr;
    check(git_index_new(&index));
    for (const auto& [path, content] : files) {
        git_index_entry entry{};
        entry.path = path.c_str();
        entry.mode = GIT_FILEMODE_BLOB;
        check(git_blob_create_from_buffer(&entry.id, repository_, content.data(), content.size()));
        check(git_index_add(index, &entry));
    }
    git_oid tree_id{}, commit_id{}, parent_id{};
    check(git_index_write_tree_to(&tree_id, index, repository_));
    git_index_free(index);
    git_tree* tree = nullptr;
    check(git_tree_lookup(&tree, repository_, &tree_id));
    git_signature* author = nullptr;
    check(git_signature_now(&author, "tester", "tester@example.org"));
    git_commit* parent = nullptr;
    if (git_reference_name_to_id(&parent_id, repository_, "refs/heads/main") == 0)
        check(git_commit_lookup(&parent, repository_, &parent_id));
    const git_commit* parents[] = {parent};
    check(git_commit_create(&commit_id, repository_, "refs/heads/main", author, author, nullptr, message.c_str(), tree,
                            parent ? 1u : 0u, parents));
    git_commit_free(parent);
    git_signature_free(author);
    git_tree_free(tree);
    return git_oid_tostr_s(&commit_id);
}

}  // namespace kedge::test
