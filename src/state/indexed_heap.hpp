#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace millrace {

/// A binary min-heap that tells where each of its nodes is, so that a node can be removed or moved
/// from anywhere. `less(a, b)` orders nodes, `placed(node, position)` is told of each new position.
template <class Node>
class indexed_heap {
 public:
  bool empty() const noexcept { return nodes_.empty(); }
  std::size_t size() const noexcept { return nodes_.size(); }
  const Node& top() const noexcept { return nodes_.front(); }
  const Node& operator[](std::size_t position) const noexcept { return nodes_[position]; }
  /// To change what the order does not depend on.
  Node& operator[](std::size_t position) noexcept { return nodes_[position]; }

  template <class Less, class Placed>
  void push(Node node, Less&& less, Placed&& placed) {
    nodes_.push_back(std::move(node));
    rise(nodes_.size() - 1, less, placed);
  }

  template <class Less, class Placed>
  void erase(std::size_t position, Less&& less, Placed&& placed) {
    const std::size_t last = nodes_.size() - 1;
    if (position != last) nodes_[position] = std::move(nodes_[last]);
    nodes_.pop_back();
    if (position != last) update(position, less, placed);
  }

  /// The node at `position` was given another rank.
  template <class Less, class Placed>
  void update(std::size_t position, Less&& less, Placed&& placed) {
    if (position > 0 && less(nodes_[position], nodes_[(position - 1) / 2]))
      rise(position, less, placed);
    else
      sink(position, less, placed);
  }

 private:
  template <class Less, class Placed>
  void rise(std::size_t position, Less& less, Placed& placed) {
    Node node = std::move(nodes_[position]);
    while (position > 0) {
      const std::size_t parent = (position - 1) / 2;
      if (!less(node, nodes_[parent])) break;
      nodes_[position] = std::move(nodes_[parent]);
      placed(nodes_[position], position);
      position = parent;
    }
    nodes_[position] = std::move(node);
    placed(nodes_[position], position);
  }

  template <class Less, class Placed>
  void sink(std::size_t position, Less& less, Placed& placed) {
    Node node = std::move(nodes_[position]);
    for (std::size_t child; (child = 2 * position + 1) < nodes_.size(); position = child) {
      if (child + 1 < nodes_.size() && less(nodes_[child + 1], nodes_[child])) ++child;
      if (!less(nodes_[child], node)) break;
      nodes_[position] = std::move(nodes_[child]);
      placed(nodes_[position], position);
    }
    nodes_[position] = std::move(node);
    placed(nodes_[position], position);
  }

  std::vector<Node> nodes_;
};

}  // namespace millrace
