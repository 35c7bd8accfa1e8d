"""What transfer learning is compared with: BDNN, MLP and SVM on descriptors."""
