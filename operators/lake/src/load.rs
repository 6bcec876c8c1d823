//! The loader: inputs → splits → batches → output, columnar all the way.
